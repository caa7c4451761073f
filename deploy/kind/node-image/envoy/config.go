package main

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// files are where the bootstrap configuration says that the rest is.
type files struct {
	clusters, listeners string
}

// readBootstrap reads the file that Envoy is started with.
func readBootstrap(path string) (files, error) {
	var bootstrap struct {
		DynamicResources struct {
			Clusters  source `yaml:"cds_config"`
			Listeners source `yaml:"lds_config"`
		} `yaml:"dynamic_resources"`
	}
	if err := read(path, &bootstrap); err != nil {
		return files{}, err
	}
	found := files{
		clusters:  bootstrap.DynamicResources.Clusters.Path.Path,
		listeners: bootstrap.DynamicResources.Listeners.Path.Path,
	}
	if found.clusters == "" || found.listeners == "" {
		return files{}, fmt.Errorf("reading %s: it names no file with clusters and listeners (dynamic_resources, path_config_source), the only way that this stand-in knows", path)
	}
	return found, nil
}

type source struct {
	Path struct {
		Path string `yaml:"path"`
	} `yaml:"path_config_source"`
}

type address struct {
	Socket struct {
		Host string `yaml:"address"`
		Port int    `yaml:"port_value"`
	} `yaml:"socket_address"`
}

func (a address) hostPort() (string, error) {
	if a.Socket.Port < 1 || a.Socket.Port > 65535 {
		return "", fmt.Errorf("%s has port %d: want 1 to 65535", a.Socket.Host, a.Socket.Port)
	}
	return net.JoinHostPort(a.Socket.Host, strconv.Itoa(a.Socket.Port)), nil
}

// readListener is the address to listen at, or none before kind knows the nodes.
func readListener(path string) (string, error) {
	var found struct {
		Resources []struct {
			Address address `yaml:"address"`
		} `yaml:"resources"`
	}
	if err := read(path, &found); err != nil || len(found.Resources) == 0 {
		return "", err
	}
	if len(found.Resources) > 1 {
		return "", fmt.Errorf("reading %s: it has %d listeners, and this stand-in serves one", path, len(found.Resources))
	}
	hostPort, err := found.Resources[0].Address.hostPort()
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hostPort, nil
}

// readEndpoints are the addresses of the API servers.
func readEndpoints(path string) ([]string, error) {
	var found struct {
		Resources []struct {
			LoadAssignment struct {
				Endpoints []struct {
					Endpoints []struct {
						Endpoint struct {
							Address address `yaml:"address"`
						} `yaml:"endpoint"`
					} `yaml:"lb_endpoints"`
				} `yaml:"endpoints"`
			} `yaml:"load_assignment"`
		} `yaml:"resources"`
	}
	if err := read(path, &found); err != nil {
		return nil, err
	}
	if len(found.Resources) > 1 {
		return nil, fmt.Errorf("reading %s: it has %d clusters, and this stand-in serves one", path, len(found.Resources))
	}
	var addresses []string
	for _, cluster := range found.Resources {
		for _, locality := range cluster.LoadAssignment.Endpoints {
			for _, endpoint := range locality.Endpoints {
				hostPort, err := endpoint.Endpoint.Address.hostPort()
				if err != nil {
					return nil, fmt.Errorf("reading %s: %w", path, err)
				}
				addresses = append(addresses, hostPort)
			}
		}
	}
	return addresses, nil
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
