),
                (Word, 