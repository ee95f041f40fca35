"""From an envelope to what a reviewer reads: opened, inspected, shown, saved; nothing readable is kept."""
