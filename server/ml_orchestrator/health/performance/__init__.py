"""How well a model does: measured where labels exist, estimated where they do not."""
