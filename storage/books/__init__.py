"""What makes the books provable: digest chains and audit rows."""
