-- The definitions catalogue called what Nova runs an instance; Nova itself says server.
--
-- Names are unique: where somebody added OS::Nova::Server before, both rows stay as they are. A join asks for
-- that row, because MySQL does not let a subquery read the table that is being updated.

UPDATE metadef_resource_types AS instance
LEFT JOIN metadef_resource_types AS taken ON taken.name = 'OS::Nova::Server'
SET instance.name = 'OS::Nova::Server'
WHERE instance.name = 'OS::Nova::Instance'
    AND taken.id IS NULL;
