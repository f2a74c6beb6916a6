// The service of echo.ts on grpc-go.
//
//	grpc-echo serve             prints its port, and serves until its standard input ends
//	grpc-echo call PORT [gzip]  makes calls of every kind, and prints their outcomes
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type text = wrapperspb.StringValue

var long = strings.Repeat("x", 20_000)

var echo = grpc.ServiceDesc{
	ServiceName: "testing.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "One", Handler: func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		request := new(text)
		if err := read(request); err != nil {
			return nil, err
		}
		return one(ctx, request)
	}}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Many", ServerStreams: true, Handler: many},
		{StreamName: "Sum", ClientStreams: true, Handler: sum},
		{StreamName: "Chat", ServerStreams: true, ClientStreams: true, Handler: chat},
	},
}

var stopped atomic.Int64

func one(ctx context.Context, request *text) (*text, error) {
	switch request.Value {
	case "fail":
		told, err := status.New(codes.InvalidArgument, "100 % größer").WithDetails(&errdetails.BadRequest{
			FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "id", Description: "nein, größer"}},
		})
		if err != nil {
			return nil, err
		}
		return nil, told.Err()
	case "stopped":
		return wrapperspb.String(strconv.FormatInt(stopped.Load(), 10)), nil
	case "wait":
		<-ctx.Done()
		stopped.Add(1)
		return nil, ctx.Err()
	}
	asked, _ := metadata.FromIncomingContext(ctx)
	grpc.SetHeader(ctx, metadata.Pairs("x-head", asked.Get("x-asked")[0]))
	grpc.SetTrailer(ctx, metadata.Pairs("x-bytes-bin", asked.Get("x-bytes-bin")[0]))
	return request, nil
}

func many(_ any, stream grpc.ServerStream) error {
	request := new(text)
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	count, err := strconv.Atoi(request.Value)
	for i := 0; i < count && err == nil; i++ {
		err = stream.SendMsg(wrapperspb.String(fmt.Sprint(i, " ", long)))
	}
	return err
}

func sum(_ any, stream grpc.ServerStream) error {
	count, length := 0, 0
	for {
		request := new(text)
		if err := stream.RecvMsg(request); err == io.EOF {
			return stream.SendMsg(wrapperspb.String(fmt.Sprintf("%d messages of %d", count, length)))
		} else if err != nil {
			return err
		}
		count++
		length += len(request.Value)
	}
}

func chat(_ any, stream grpc.ServerStream) error {
	for {
		request := new(text)
		if err := stream.RecvMsg(request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(wrapperspb.String(strings.ToUpper(request.Value))); err != nil {
			return err
		}
	}
}

func serve() {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	server := grpc.NewServer()
	server.RegisterService(&echo, nil)
	go server.Serve(listener)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
	server.Stop()
}

func call(port string, options ...grpc.CallOption) {
	connection := must(grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(options...)))
	ask := func(ctx context.Context, value string, options ...grpc.CallOption) (string, error) {
		answer := new(text)
		err := connection.Invoke(ctx, "/testing.Echo/One", wrapperspb.String(value), answer, options...)
		return answer.Value, err
	}
	background := context.Background()

	var head, trailer metadata.MD
	asked := metadata.AppendToOutgoingContext(background, "x-asked", "yes", "x-bytes-bin", string([]byte{0, 255, 7}))
	answer := must(ask(asked, long, grpc.Header(&head), grpc.Trailer(&trailer)))

	listing := must(connection.NewStream(background, &echo.Streams[0], "/testing.Echo/Many"))
	check(listing.SendMsg(wrapperspb.String("100")))
	check(listing.CloseSend())
	listed := receive(listing)

	summing := must(connection.NewStream(background, &echo.Streams[1], "/testing.Echo/Sum"))
	for range 20 {
		check(summing.SendMsg(wrapperspb.String(long)))
	}
	check(summing.CloseSend())
	summed := receive(summing)

	chatting := must(connection.NewStream(background, &echo.Streams[2], "/testing.Echo/Chat"))
	said := []string{}
	for _, value := range []string{"a", "b", "c"} {
		check(chatting.SendMsg(wrapperspb.String(value)))
		message := new(text)
		check(chatting.RecvMsg(message))
		said = append(said, message.Value)
	}
	check(chatting.CloseSend())
	said = append(said, receive(chatting)...)

	_, err := ask(background, "fail")
	failure := status.Convert(err)
	field := failure.Details()[0].(*errdetails.BadRequest).FieldViolations[0].Field
	soon, cancel := context.WithTimeout(background, 300*time.Millisecond)
	_, late := ask(soon, "wait")
	cancel()
	left, leave := context.WithCancel(background)
	time.AfterFunc(300*time.Millisecond, leave)
	_, cancelled := ask(left, "wait")
	count := "0"
	for i := 0; count != "2" && i < 100; i++ {
		count = must(ask(background, "stopped"))
		time.Sleep(20 * time.Millisecond)
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"one":       []string{answer, head.Get("x-head")[0], base64.StdEncoding.EncodeToString([]byte(trailer.Get("x-bytes-bin")[0]))},
		"many":      []any{len(listed), listed[len(listed)-1]},
		"sum":       summed[0],
		"chat":      said,
		"error":     []any{failure.Code(), failure.Message(), field},
		"deadline":  status.Code(late),
		"cancelled": status.Code(cancelled),
		"stopped":   count,
	}))
}

func receive(stream grpc.ClientStream) []string {
	values := []string{}
	for {
		message := new(text)
		if err := stream.RecvMsg(message); err == io.EOF {
			return values
		} else {
			check(err)
		}
		values = append(values, message.Value)
	}
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

func main() {
	switch {
	case os.Args[1] == "serve":
		serve()
	case len(os.Args) > 3 && os.Args[3] == "gzip":
		call(os.Args[2], grpc.UseCompressor(gzip.Name))
	default:
		call(os.Args[2])
	}
}
