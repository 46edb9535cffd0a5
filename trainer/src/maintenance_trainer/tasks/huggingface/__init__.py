"""What kinds of model in Hugging Face's format share: loading, training, scoring, rehearsing."""
