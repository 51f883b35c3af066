// A maker's own decoder in the small: reads conversations of docs/frames as the bytes on the wire
// and prints each frame in one line of protobuf's text format. Its arguments go in pairs: a file,
// and who says its frames, for example "machine,backend". Ends with 1 and a sentence at the first
// frame that is not as it should be.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	gatewayv1 "vendgate/gateway/v1"
)

func main() {
	for index := 1; index+1 < len(os.Args); index += 2 {
		wire, err := os.ReadFile(os.Args[index])
		if err == nil {
			err = read(wire, strings.Split(os.Args[index+1], ","))
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[index], err)
			os.Exit(1)
		}
	}
}

func read(wire []byte, speakers []string) error {
	size := len(wire)
	for _, speaker := range speakers {
		start := size - len(wire)
		body, rest, err := cut(wire)
		if err != nil {
			return fmt.Errorf("frame at byte %d: %w", start, err)
		}
		wire = rest
		var frame proto.Message = &gatewayv1.ConnectResponse{}
		if speaker == "machine" {
			frame = &gatewayv1.ConnectRequest{}
		}
		if err := proto.Unmarshal(body, frame); err != nil {
			return fmt.Errorf("frame at byte %d: %w", start, err)
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(frame)
		if err != nil || !bytes.Equal(body, again) {
			return fmt.Errorf("frame at byte %d: written again it is another (%v)", start, err)
		}
		fmt.Println(prototext.MarshalOptions{}.Format(frame))
	}
	if len(wire) > 0 {
		return fmt.Errorf("nobody says the last %d bytes", len(wire))
	}
	return nil
}

// cut returns the message that the bytes begin with, framed as gRPC frames it, and what is left.
func cut(wire []byte) (body, rest []byte, err error) {
	if len(wire) < 5 {
		return nil, nil, fmt.Errorf("the file ends before all frames are told")
	}
	if wire[0] != 0 {
		return nil, nil, fmt.Errorf("it is compressed")
	}
	size := binary.BigEndian.Uint32(wire[1:5])
	if uint64(size) > uint64(len(wire)-5) {
		return nil, nil, fmt.Errorf("%d bytes are not in the file", size)
	}
	return wire[5 : 5+size], wire[5+size:], nil
}
