"""Where a message goes: what is asked, the force that is meant, who can open it, and why, in words."""
