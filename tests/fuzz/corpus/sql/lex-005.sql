, 6),
            (Word, 