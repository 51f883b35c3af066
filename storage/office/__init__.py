"""What the back office keeps: merchandise and its prices, places, goods."""
