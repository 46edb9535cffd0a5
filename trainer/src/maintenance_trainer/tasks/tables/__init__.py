"""Models of tables: rows of numbers, dates, booleans and categories, learnt by boosted trees."""
