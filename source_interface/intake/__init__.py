"""A message on its way in: the form as it arrives, the certificates it is sealed to, the envelope that is kept."""
