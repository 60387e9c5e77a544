"""The channel to a guest: one program inside it, which is spoken to over a virtio-serial port and no network."""
