];
        pieces.extend(
            