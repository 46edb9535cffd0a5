"""Diagnoses why a model got worse, trains a challenger and lets it meet the champion."""
