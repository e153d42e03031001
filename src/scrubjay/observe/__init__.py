"""What the cache tells about itself."""
