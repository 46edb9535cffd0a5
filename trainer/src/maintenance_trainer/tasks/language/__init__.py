"""Language models that answer: rows of questions and answers, and how a model takes them."""
