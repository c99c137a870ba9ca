"""What a run would do and why, told before it; and what became of one clip. It reads artefacts and changes none."""
