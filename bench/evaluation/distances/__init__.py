"""Distances between the test images and their filled versions as wholes: FID, KID, P-IDS, U-IDS."""
