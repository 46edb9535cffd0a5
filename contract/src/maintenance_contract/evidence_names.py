"""The numbers that evidence rests on: their names, and what they measure in plain words.

The trainer writes the names into its report, the rules look them up, status and pictures show them.
"""

import re
from collections.abc import Mapping
from typing import Final

from maintenance_contract.report import LEAST_ROWS

ACCURACY: Final = "accuracy"
ERROR_RATE: Final = "errorRate"
ERROR: Final = "error"
SCORE: Final = "score"
BREACHED_READINGS: Final = "breachedReadings"
ERROR_EVIDENCE: Final = "errorEvidence"
ERROR_AT_EQUAL_CLASS_EVIDENCE: Final = "errorAtEqualClassEvidence"
ACCURACY_ON_NEW_ROWS: Final = "accuracyOnNewRows"
LOSS_ON_NEW_ROWS: Final = "lossOnNewRows"
HIT_RATE: Final = "hitRate"
MISS_RATE: Final = "missRate"
HITS_ON_NEW_ROWS: Final = "hitsOnNewRows"
OUTSIDE_SUPPORT: Final = "outsideSupport"
CLASS_MIX: Final = "classMix"
GAIN_AT_NEW_MIX: Final = "gainAtNewMix"
TOLD_APART_AUC: Final = "toldApartAuc"
INPUT_SHIFT_AUC: Final = "inputShiftAuc"
SHIFT_WITHIN_CLASSES_AUC: Final = "shiftWithinClassesAuc"
EXPECTED_ERROR_RISE: Final = "expectedErrorRise"
ERROR_RISE_OUTSIDE: Final = "errorRiseOutside"
UNEXPLAINED_ERROR_RISE: Final = "unexplainedErrorRise"
ERROR_RISE_IN_REGION: Final = "errorRiseInRegion"
REGION_SHARE: Final = "regionShare"
ERROR_RISE_AT_EQUAL_CLASS: Final = "errorRiseAtEqualClass"
ERROR_RISE_GIVEN_INPUT: Final = "errorRiseGivenInput"
RELABELLED_TEXTS: Final = "relabelledTexts"
CHANGE_AT_SAME_INPUT: Final = "changeAtSameInput"
NEW_LABELS: Final = "newLabels"
VANISHED_LABELS: Final = "vanishedLabels"
UNKNOWN_TOKENS: Final = "unknownTokens"
SUBWORDS_PER_WORD: Final = "subwordsPerWord"
TRUNCATED_TEXTS: Final = "truncatedTexts"
UNSEEN_FORMS: Final = "unseenForms"
SYSTEM_MESSAGES: Final = "systemMessages"
TURNS: Final = "turns"
EMPTY_TEXTS: Final = "emptyTexts"
UNSEEN_IMAGE_SIZES: Final = "unseenImageSizes"
UNSEEN_CHANNELS: Final = "unseenChannels"
UNSEEN_BIT_DEPTHS: Final = "unseenBitDepths"
UNSEEN_IMAGE_MODES: Final = "unseenImageModes"
IMAGE_SIDES: Final = "imageSides"
CHANGED_COLUMNS: Final = "changedColumns"
EMPTIER_COLUMN: Final = "emptierColumn"
UNKNOWN_CATEGORIES: Final = "unknownCategories"
UNIT_FACTOR: Final = "unitFactor"
UNIT_OFFSET: Final = "unitOffset"
OTHER_TYPE: Final = "otherType"
NEW_COLUMN: Final = "newColumn"
LOST_COLUMN: Final = "lostColumn"
STUCK_COLUMN: Final = "stuckColumn"
CONSTANT_COLUMN: Final = "constantColumn"
OUT_OF_RANGE: Final = "outOfRange"
SAMPLING_INTERVAL: Final = "samplingInterval"
LONGER_HORIZON: Final = "longerHorizon"
NEW_TARGETS: Final = "newTargets"
NEW_ITEMS: Final = "newItems"
GONE_ITEMS: Final = "goneItems"
HISTORY_LENGTH: Final = "historyLength"
INTERACTIONS_PER_USER: Final = "interactionsPerUser"
NEW_COLUMNS: Final = "newColumns"
LOST_COLUMNS: Final = "lostColumns"
NEW_ROWS_TO_COMPARE: Final = "newRowsToCompare"
OLD_ROWS_TO_COMPARE: Final = "oldRowsToCompare"
TRAINED_ROWS_TO_COMPARE: Final = "trainedRowsToCompare"

WORDS: Final[Mapping[str, str]] = {
    ACCURACY: "accuracy in production",
    ERROR_RATE: "error rate in production",
    ERROR: "error in production, in the metric's own unit",
    SCORE: "score in production, in the metric's own unit",
    BREACHED_READINGS: "bad readings among the last",
    ERROR_EVIDENCE: "evidence that the error rose, in labels",
    ERROR_AT_EQUAL_CLASS_EVIDENCE: "the same at equal class mix",
    ACCURACY_ON_NEW_ROWS: "the champion's accuracy on new held-out rows",
    HIT_RATE: "hit rate in production",
    MISS_RATE: "miss rate in production",
    HITS_ON_NEW_ROWS: "the champion's hit rate on new held-out users",
    LOSS_ON_NEW_ROWS: "the champion's loss on new held-out rows, in units of the label",
    OUTSIDE_SUPPORT: "share of new rows that lie outside what the champion was trained on",
    CLASS_MIX: "share of rows that would have to change class to get the old mix",
    GAIN_AT_NEW_MIX: "what the champion would gain if it knew the classes' new shares",
    TOLD_APART_AUC: "how well new and old rows can be told apart (.5 not at all, 1 always)",
    INPUT_SHIFT_AUC: "how well inputs alone tell new rows from old (.5 not at all, 1 always)",
    SHIFT_WITHIN_CLASSES_AUC: "the same within classes: a moved class mix alone is none",
    EXPECTED_ERROR_RISE: "rise of the error that the inputs lead to expect",
    ERROR_RISE_OUTSIDE: "the champion's error on rows outside, less that on old rows",
    UNEXPLAINED_ERROR_RISE: "rise of the error that neither inputs nor class mix explain",
    ERROR_RISE_IN_REGION: "that rise where it is clearest",
    REGION_SHARE: "share of the new rows that lie there",
    ERROR_RISE_AT_EQUAL_CLASS: "rise of the error on familiar rows of the same class",
    ERROR_RISE_GIVEN_INPUT: "rise of the error that the inputs do not explain",
    RELABELLED_TEXTS: "share of known inputs that come back with another label",
    CHANGE_AT_SAME_INPUT: (
        "how far the answers of known inputs have moved, as a share of the baseline's error"
    ),
    NEW_LABELS: "share of new rows whose label the champion does not know",
    VANISHED_LABELS: "share of old rows whose label is seen no more",
    UNKNOWN_TOKENS: "rise of the share of tokens that the tokenizer does not know",
    SUBWORDS_PER_WORD: "subwords per word, new over old",
    TRUNCATED_TEXTS: "rise of the share of texts too long for the model",
    UNSEEN_FORMS: "share of new conversations in a form that hardly an old one has",
    SYSTEM_MESSAGES: "rise of the share of conversations that a message of the system begins",
    TURNS: "messages before the answer, on average, new less old",
    EMPTY_TEXTS: "rise of the share of empty texts",
    UNSEEN_IMAGE_SIZES: "share of new images of a size or shape that hardly an old image has",
    UNSEEN_CHANNELS: "share of new images with channels that hardly an old image has",
    UNSEEN_BIT_DEPTHS: "share of new images with bits per channel that hardly an old image has",
    UNSEEN_IMAGE_MODES: (
        "share of new images in a mode (palette, CMYK) that hardly an old one has"
    ),
    IMAGE_SIDES: "length of the images' sides, new over old (medians)",
    CHANGED_COLUMNS: "columns that the model uses, of another unit or type, new, gone or stuck",
    EMPTIER_COLUMN: "rise of the share of rows that hold nothing in a column, at its greatest",
    UNKNOWN_CATEGORIES: "share of a column's categories that the model does not know, the greatest",
    UNIT_FACTOR: "another unit: new values are so many times the old ones",
    UNIT_OFFSET: "and so much more than that",
    OTHER_TYPE: "share of values that are of another type than the model was trained on",
    NEW_COLUMN: "a column that the model does not read: the share of new rows that have it",
    LOST_COLUMN: "a column that is gone: the share of new rows that still have it",
    STUCK_COLUMN: "a column that measured something and now holds this one value",
    CONSTANT_COLUMN: "a column that holds this one value now",
    OUT_OF_RANGE: "share of numbers far beyond all old ones",
    SAMPLING_INTERVAL: "how many times longer or shorter the time from a row to the next is",
    LONGER_HORIZON: "rows that a forecast is to tell beyond those that the model tells",
    NEW_TARGETS: "channels that a forecast is to tell and that the model does not tell",
    NEW_ITEMS: "rise of the share of interactions with items that the model does not know",
    GONE_ITEMS: "share of old interactions with items that nobody chooses any more",
    HISTORY_LENGTH: "interactions before the last one of a user, new over old (means)",
    INTERACTIONS_PER_USER: "interactions of a user, new over old (means)",
    NEW_COLUMNS: "columns that are new",
    LOST_COLUMNS: "columns that are gone",
    NEW_ROWS_TO_COMPARE: f"newly labelled rows; with fewer than {LEAST_ROWS} no test is made",
    OLD_ROWS_TO_COMPARE: f"old held-out rows; with fewer than {LEAST_ROWS} no test is made",
    TRAINED_ROWS_TO_COMPARE: (
        f"rows it was trained on; with fewer than {LEAST_ROWS} no test is made"
    ),
}

MOST_CHARACTERS: Final = 64
"""Of a name, in a report."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def of_column(name: str, column: str) -> str:
    """A number of one column: ``unitFactor:height``."""
    room = MOST_CHARACTERS - len(name) - 1
    shown = "".join(each if each.isprintable() else "?" for each in column)
    return f"{name}:{shown if len(shown) <= room else shown[: room - 1] + '…'}"


def in_words(name: str) -> str:
    """What a number measures; a name that is not known here is spelled out."""
    measured, _, column = name.partition(":")
    words = WORDS.get(measured) or _HUMP.sub(" ", measured).lower()
    return f"column {column!r}: {words}" if column else words
