"""Language models of the BERT family: the only home of torch and transformers."""
