"""What the keeper and the nodes say to each other: small messages, each known to be from who has the key, and to be said now."""
