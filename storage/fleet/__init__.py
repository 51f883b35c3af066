"""What administrators read and change."""
