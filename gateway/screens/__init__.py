"""What machines show between customers: compiled, told, served as files, and heard back."""
