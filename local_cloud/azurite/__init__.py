"""Azurite, Microsoft's emulator of Azure Storage, as a process of this machine."""
