"""Images and files: decoded, resized and normalised beside the model, which labels, embeds or finds boxes."""
