CREATE TABLE IF NOT EXISTS floatingips (
    id VARCHAR(36) NOT NULL,
    project_id VARCHAR(255),
    floating_ip_address VARCHAR(64) NOT NULL,
    status VARCHAR(16) NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE IF NOT EXISTS portforwardings (
    id VARCHAR(36) NOT NULL,
    floatingip_id VARCHAR(36) NOT NULL,
    external_port INTEGER NOT NULL,
    internal_neutron_port_id VARCHAR(36) NOT NULL,
    protocol VARCHAR(40) NOT NULL,
    socket VARCHAR(36) NOT NULL,            -- "10.0.0.1:80"
    description VARCHAR(255),
    PRIMARY KEY (id),
    CONSTRAINT uniq_port_forwardings0floatingip_id0external_port0protocol UNIQUE (floatingip_id, external_port, protocol),
    CONSTRAINT uniq_port_forwardings0internal_neutron_port_id0socket0protocol UNIQUE (internal_neutron_port_id, socket, protocol),
    CONSTRAINT portforwardings_floatingip_id_fkey FOREIGN KEY (floatingip_id) REFERENCES floatingips (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
