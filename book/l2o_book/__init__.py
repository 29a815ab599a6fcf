"""What makes the book: records, tables, figures, the pipeline of its notebooks, and the build of its site."""
