"""Parts of the kind that tells what a user chooses next."""
