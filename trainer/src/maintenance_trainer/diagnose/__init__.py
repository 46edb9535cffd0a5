"""Why did the champion get worse? One file per question of the workflow.

    feature_space.py        has what the model reads or predicts changed?
    distribution_shift.py   have the inputs changed?
    concept_drift.py        do the same inputs mean something else now?

``thresholds.py`` has every bound with its reason, ``statistics.py`` the tests.
"""
