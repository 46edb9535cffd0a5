"""From a metric's readings to an assessment: is performance down?"""
