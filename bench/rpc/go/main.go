// What server.ts is for the others, on grpc-go: it is told what to serve in its one argument, speaks with its parent over
// the channel that Node.js opens to a child (a message is a line of JSON), tells it its port, and answers every message
// with the processor time that it has used. The messages' code is printed beside it when it is built (../go.ts).
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	path     = "/shop.orders.v1.OrderService/GetOrder"
	streamed = 1_000
)

var big = strings.Repeat("x", 10_000)

// Where the server behind it is, which it asks for every answer, if there is one.
var next *grpc.ClientConn

var orderService = grpc.ServiceDesc{
	ServiceName: "shop.orders.v1.OrderService",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "GetOrder", Handler: getOrder}},
	Streams:     []grpc.StreamDesc{{StreamName: "WatchOrder", ServerStreams: true, Handler: watchOrder}},
}

func getOrder(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new(GetOrderRequest)
	if err := read(request); err != nil {
		return nil, err
	}
	if next == nil {
		return order(request.Id), nil
	}
	answer := new(Order)
	return answer, next.Invoke(ctx, path, request, answer)
}

func watchOrder(_ any, stream grpc.ServerStream) error {
	request := new(GetOrderRequest)
	err := stream.RecvMsg(request)
	for i := 0; i < streamed && err == nil; i++ {
		err = stream.SendMsg(order(request.Id))
	}
	return err
}

// What the handler answers: a fresh order of three lines each time.
func order(id string) *Order {
	customer := "customer-17"
	if id == "big" {
		customer = big
	}
	lines := make([]*OrderLine, 3)
	for i := range lines {
		lines[i] = &OrderLine{ProductId: "product-" + strconv.Itoa(i+1), Quantity: int32(i + 1), UnitPriceCents: 1_999}
	}
	time := &timestamppb.Timestamp{Seconds: 1_790_000_000, Nanos: 5}
	return &Order{
		Id:         id,
		CustomerId: customer,
		State:      OrderState_ORDER_STATE_CONFIRMED,
		Lines:      lines,
		TotalCents: 11_994,
		CreateTime: time,
		UpdateTime: time,
	}
}

func main() {
	var started struct {
		Tls  *struct{ Cert, Key string }
		Next int
	}
	check(json.Unmarshal([]byte(os.Args[1]), &started))
	options := []grpc.ServerOption{}
	if pair := started.Tls; pair != nil {
		certificate := must(tls.X509KeyPair([]byte(pair.Cert), []byte(pair.Key)))
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	}
	if started.Next != 0 {
		address := fmt.Sprint("127.0.0.1:", started.Next)
		next = must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	server := grpc.NewServer(options...)
	server.RegisterService(&orderService, nil)
	go server.Serve(listener)

	channel := os.NewFile(uintptr(must(strconv.Atoi(os.Getenv("NODE_CHANNEL_FD")))), "channel")
	send := json.NewEncoder(channel)
	check(send.Encode(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port}))
	// Until its parent is gone.
	for asked := bufio.NewScanner(channel); asked.Scan(); {
		var used syscall.Rusage
		check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
		check(send.Encode(map[string]int64{"user": microseconds(used.Utime), "system": microseconds(used.Stime)}))
	}
}

func microseconds(time syscall.Timeval) int64 {
	return time.Nano() / 1_000
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}
