package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const gpuResource = "nvidia.com/gpu"

// devices is a device plugin whose devices exist for scheduling only: a container that is given one finds no device in it.
type devices struct {
	plugin.UnimplementedDevicePluginServer
	count int
}

func (d devices) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

func (d devices) ListAndWatch(_ *plugin.Empty, stream plugin.DevicePlugin_ListAndWatchServer) error {
	list := &plugin.ListAndWatchResponse{}
	for i := range d.count {
		list.Devices = append(list.Devices, &plugin.Device{ID: fmt.Sprintf("gpu-%d", i), Health: plugin.Healthy})
	}
	if err := stream.Send(list); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (d devices) Allocate(_ context.Context, request *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	response := &plugin.AllocateResponse{}
	for range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &plugin.ContainerAllocateResponse{})
	}
	return response, nil
}

// keepDevicesRegistered registers with the kubelet again whenever the kubelet has started anew, which removes the socket.
func keepDevicesRegistered(ctx context.Context, count int) {
	socket := filepath.Join(plugin.DevicePluginPath, "mm-cluster-gpu.sock")
	for ; ; time.Sleep(500 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			continue
		}
		if _, err := os.Stat(plugin.KubeletSocket); err != nil {
			continue
		}
		server, err := serveDevices(ctx, socket, count)
		if err != nil {
			log.Printf("%s: %v; trying again", gpuResource, err)
			continue
		}
		defer server.Stop()
		log.Printf("%s: %d registered", gpuResource, count)
	}
}

func serveDevices(ctx context.Context, socket string, count int) (*grpc.Server, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	plugin.RegisterDevicePluginServer(server, devices{count: count})
	go func() { _ = server.Serve(listener) }()
	if err := register(ctx, filepath.Base(socket)); err != nil {
		server.Stop() // It removes the socket, which makes the next round try again.
		return nil, err
	}
	return server, nil
}

func register(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := grpc.NewClient("unix://"+plugin.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = plugin.NewRegistrationClient(connection).Register(ctx, &plugin.RegisterRequest{
		Version: plugin.Version, Endpoint: endpoint, ResourceName: gpuResource,
	})
	return err
}
