"""Names of evidence in plain words, for those who read a decision."""

import re
from typing import Final

from maintenance_contract import LEAST_ROWS

EVIDENCE: Final = {
    "accuracy": "accuracy in production",
    "errorRate": "error rate in production",
    "breachedReadings": "bad readings among the last",
    "errorEvidence": "evidence that the error rose, in labels",
    "errorAtEqualClassEvidence": "the same at equal class mix",
    "accuracyOnNewRows": "the champion's accuracy on new held-out rows",
    "outsideSupport": "share of new rows that lie outside what the champion was trained on",
    "classMix": "share of rows that would have to change class to get the old mix",
    "gainAtNewMix": "what the champion would gain if it knew the classes' new shares",
    "toldApartAuc": "how well new and old rows can be told apart (.5 not at all, 1 always)",
    "inputShiftAuc": "how well inputs alone tell new rows from old (.5 not at all, 1 always)",
    "shiftWithinClassesAuc": "the same within classes: a moved class mix alone is none",
    "expectedErrorRise": "rise of the error that the inputs lead to expect",
    "errorRiseOutside": "the champion's error on rows outside, less that on old rows",
    "unexplainedErrorRise": "rise of the error that neither inputs nor class mix explain",
    "errorRiseInRegion": "that rise where it is clearest",
    "regionShare": "share of the new rows that lie there",
    "errorRiseAtEqualClass": "rise of the error on familiar rows of the same class",
    "errorRiseGivenInput": "rise of the error that the inputs do not explain",
    "relabelledTexts": "share of known inputs that come back with another label",
    "newLabels": "share of new rows whose label the champion does not know",
    "vanishedLabels": "share of old rows whose label is seen no more",
    "unknownTokens": "rise of the share of tokens that the tokenizer does not know",
    "subwordsPerWord": "subwords per word, new over old",
    "truncatedTexts": "rise of the share of texts too long for the model",
    "emptyTexts": "rise of the share of empty texts",
    "unseenImageSizes": "share of new images of a size or shape that hardly an old image has",
    "unseenChannels": "share of new images with channels that hardly an old image has",
    "unseenBitDepths": "share of new images with bits per channel that hardly an old image has",
    "unseenImageModes": "share of new images in a mode (palette, CMYK) that hardly an old one has",
    "imageSides": "length of the images' sides, new over old (medians)",
    "newColumns": "columns that are new",
    "lostColumns": "columns that are gone",
    "newRowsToCompare": f"newly labelled rows; with fewer than {LEAST_ROWS} no test is made",
    "oldRowsToCompare": f"old held-out rows; with fewer than {LEAST_ROWS} no test is made",
    "trainedRowsToCompare": f"rows it was trained on; with fewer than {LEAST_ROWS} no test is made",
}

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def in_words(name: str) -> str:
    """What a number measures; a name that is not known here is spelled out."""
    return EVIDENCE.get(name) or _HUMP.sub(" ", name).lower()
