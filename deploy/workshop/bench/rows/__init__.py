"""What is measured: a module for each row, or pair of rows, of the table."""
