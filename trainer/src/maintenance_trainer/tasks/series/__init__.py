"""Time series: windows of them are rows, networks of patches learn them."""
