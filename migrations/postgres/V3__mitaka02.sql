-- The definitions catalogue called what Nova runs an instance; Nova itself says server.
--
-- Names are unique: where somebody added OS::Nova::Server before, both rows stay as they are.

UPDATE metadef_resource_types
SET name = 'OS::Nova::Server'
WHERE name = 'OS::Nova::Instance'
    AND NOT EXISTS (SELECT 1 FROM metadef_resource_types WHERE name = 'OS::Nova::Server');
