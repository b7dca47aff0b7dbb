// Command gpu-plugin is a device plugin of the kubelet for GPUs that exist by name only: gpu-plugin RESOURCE=COUNT...
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

type devices struct {
	plugin.UnimplementedDevicePluginServer
	resource string
	count    int
}

func main() {
	ended := make(chan error)
	for _, argument := range os.Args[1:] {
		resource, number, _ := strings.Cut(argument, "=")
		count, err := strconv.Atoi(number)
		if err != nil {
			log.Fatalf("%s: RESOURCE=COUNT is what it takes", argument)
		}
		go func() { ended <- (&devices{resource: resource, count: count}).offer() }()
	}
	log.Fatal(<-ended)
}

// offer registers again with every new kubelet: it empties the folder of the sockets when it starts.
func (d *devices) offer() error {
	for {
		born, err := os.Stat(plugin.KubeletSocket)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		server := grpc.NewServer()
		if err := d.register(server); err != nil {
			log.Print(d.resource, ": ", err)
		} else {
			log.Print(d.resource, " registered")
			for same(born) {
				time.Sleep(500 * time.Millisecond)
			}
		}
		server.Stop()
		time.Sleep(100 * time.Millisecond)
	}
}

// same by time, since a new socket often gets the number of the one before.
func same(born os.FileInfo) bool {
	now, err := os.Stat(plugin.KubeletSocket)
	return err == nil && os.SameFile(born, now) && born.ModTime().Equal(now.ModTime())
}

func (d *devices) register(server *grpc.Server) error {
	name := strings.ReplaceAll(d.resource, "/", "_") + ".sock"
	socket := filepath.Join(plugin.DevicePluginPath, name)
	_ = os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	plugin.RegisterDevicePluginServer(server, d)
	go func() { _ = server.Serve(listener) }()
	connection, err := grpc.NewClient("unix://"+plugin.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = plugin.NewRegistrationClient(connection).Register(ctx, &plugin.RegisterRequest{
		Version: plugin.Version, Endpoint: name, ResourceName: d.resource, Options: &plugin.DevicePluginOptions{}})
	return err
}

func (d *devices) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

func (d *devices) ListAndWatch(_ *plugin.Empty, stream plugin.DevicePlugin_ListAndWatchServer) error {
	all := &plugin.ListAndWatchResponse{}
	for i := range d.count {
		all.Devices = append(all.Devices, &plugin.Device{ID: fmt.Sprintf("GPU-none-%d", i), Health: plugin.Healthy})
	}
	if err := stream.Send(all); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// Allocate names the devices to the container as NVIDIA's plugin does.
func (d *devices) Allocate(_ context.Context, request *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	answer := &plugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		answer.ContainerResponses = append(answer.ContainerResponses, &plugin.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")}})
	}
	return answer, nil
}
