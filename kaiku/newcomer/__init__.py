"""The first hour: what a folder of recordings and a checkpoint are, and a workspace written for them."""
