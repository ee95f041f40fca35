"""The units' side: where sealed reports are picked up (`collection`), carried (`courier`) and opened (`desk`)."""
