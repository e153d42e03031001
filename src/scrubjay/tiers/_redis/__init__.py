"""What the Redis tier is made of: a core without sockets, and two thin drivers."""
