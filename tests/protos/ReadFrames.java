import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import vendgate.gateway.v1.ConnectRequest;
import vendgate.gateway.v1.ConnectResponse;

/**
 * A maker's own decoder in the small: reads conversations of docs/frames as the bytes on the wire
 * and prints each frame in one line of protobuf's text format. Its arguments go in pairs: a file,
 * and who says its frames, for example "machine,backend". Ends with 1 and a sentence at the first
 * frame that is not as it should be.
 */
final class ReadFrames {
    public static void main(String[] arguments) throws Exception {
        for (int index = 0; index < arguments.length; index += 2) {
            byte[] file = Files.readAllBytes(Path.of(arguments[index]));
            try {
                read(ByteBuffer.wrap(file), arguments[index + 1].split(","));
            } catch (Exception fault) {
                System.err.println(arguments[index] + ": " + fault.getMessage());
                System.exit(1);
            }
        }
    }

    private static void read(ByteBuffer wire, String[] speakers) throws Exception {
        for (String speaker : speakers) {
            int start = wire.position();
            byte[] body = body(wire);
            Message frame =
                speaker.equals("machine")
                    ? ConnectRequest.parseFrom(body)
                    : ConnectResponse.parseFrom(body);
            hold(Arrays.equals(body, frame.toByteArray()), "written again it is another", start);
            System.out.println(TextFormat.printer().emittingSingleLine(true).printToString(frame));
        }
        hold(!wire.hasRemaining(), "nobody says what is left", wire.position());
    }

    private static byte[] body(ByteBuffer wire) {
        int start = wire.position();
        hold(wire.remaining() >= 5, "the file ends before all frames are told", start);
        hold(wire.get() == 0, "it is compressed", start);
        int size = wire.getInt();
        hold(size >= 0 && size <= wire.remaining(), size + " bytes are not in the file", start);
        byte[] body = new byte[size];
        wire.get(body);
        return body;
    }

    private static void hold(boolean truth, String otherwise, int start) {
        if (!truth) {
            throw new IllegalStateException("frame at byte " + start + ": " + otherwise);
        }
    }
}
