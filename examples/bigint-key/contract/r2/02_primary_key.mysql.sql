-- concertina: allow validating-constraint: InnoDB builds the table anew with LOCK = NONE, and refuses where it cannot; number is unique and NOT NULL
ALTER TABLE orders DROP PRIMARY KEY, DROP COLUMN id, ADD PRIMARY KEY (number), DROP INDEX orders_number_key,
    ALGORITHM = INPLACE, LOCK = NONE;
