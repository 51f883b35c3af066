"""What is over leaves the database: a month is exported to files, proved, and dropped."""
