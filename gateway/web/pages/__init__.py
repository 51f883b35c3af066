"""The pages, one module each: what is asked, and how the answers are laid out."""
