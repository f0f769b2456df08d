"""Language models of the BERT family. Only `encoder` imports torch and transformers; the rest is light."""
