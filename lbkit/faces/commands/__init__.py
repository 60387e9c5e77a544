"""One module for each command: `add` says what it takes, the rest what it does with the library."""
