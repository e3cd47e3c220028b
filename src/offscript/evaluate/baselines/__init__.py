"""Published and simple detectors to hold ours against, each learnt from sessions of keys and giving scores."""
