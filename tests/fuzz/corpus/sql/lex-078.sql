CREATE DEFINER = 'root'@'10.0.0.1' PROCEDURE p(IN a ENUM('x', 'y'))
             COMMENT 'begin;' MODIFIES SQL DATA SQL SECURITY INVOKER
             BEGIN
               DECLARE done INT DEFAULT 0;
               DECLARE c CURSOR FOR SELECT begin, end FROM spans WHERE end > 1;
               DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = IF(done, 1, 1);
               DECLARE EXIT HANDLER FOR 1051, SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
               DROP TABLE IF EXISTS u;
               outermost: LOOP
                 FETCH c INTO x, y;
                 IF done THEN LEAVE outermost; END IF;
                 WHILE x < y DO SET x = x + 1; DO IF(x, 1, 2); END WHILE;
                 REPEAT SET x = x - 1; UNTIL x < CASE y WHEN 1 THEN 2 END END REPEAT;
                 CASE x WHEN 1 THEN BEGIN END; ELSE SET y = CASE WHEN x THEN IF(x, 1, 2) END; END CASE;
                 BEGIN UPDATE spans SET end = 1, begin = 2; END;
               END LOOP outermost;
             END