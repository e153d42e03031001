"""Side-by-side measurements of scrubjay and its peers; see README.md."""
