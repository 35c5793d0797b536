"""The losses, the critic and the trainer that all trainable methods share."""
