"""`profilestream demo`: the whole pipeline on the embedded broker, watched from outside as an application would."""
