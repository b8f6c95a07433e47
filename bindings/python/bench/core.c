/* Sends one message many times: what the library costs without Python. */
#include <userengage.h>

int send_times(ue_client *client, const ue_message *message, int times)
{
    for (int i = 0; i < times; i++) {
        ue_result *result = NULL;
        ue_status status = ue_send_conversation(client, message, &result);
        ue_result_free(result);
        if (status != UE_OK)
            return (int)status;
    }
    return 0;
}
